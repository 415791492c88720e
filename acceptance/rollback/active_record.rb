# What both apps on Active Record have in common.
require 'active_record'
require 'json'

ActiveRecord::Base.establish_connection(ENV.fetch('DATABASE_URL'))
ActiveRecord::Schema.verbose = false

# `sign-up` creates the table and the users, `log-in` prints for each whether it may, or the error: a JSON array of emails
# and passwords comes on standard input.
def serve_app
  users = JSON.parse($stdin.read)
  case ARGV.fetch(0)
  when 'sign-up'
    User.create_table
    users.each { |user| User.create!(user) }
  when 'log-in'
    puts JSON.generate(users.map { |user| outcome_of(user) })
  end
end

def outcome_of(user)
  User.find_by!(email: user.fetch('email')).log_in(user.fetch('password'))
rescue BCrypt::Errors::InvalidHash => e
  e.class.name
end
