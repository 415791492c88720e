# A Rails app's model of users: `has_secure_password`.
require_relative 'active_record'

ActiveModel::SecurePassword.min_cost = true

class User < ActiveRecord::Base
  has_secure_password

  def self.create_table
    connection.create_table(:users) do |t|
      t.string :email, null: false, index: { unique: true }
      t.string :password_digest, null: false
      t.timestamps
    end
  end

  def log_in(password) = authenticate(password) && true
end

serve_app
