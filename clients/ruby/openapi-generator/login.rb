require 'openapi_client'

def client(token = nil)
  OpenapiClient::ApiClient.new(OpenapiClient::Configuration.new { |configuration| configuration.access_token = token })
end

def run(email, password, admin_token)
  if admin_token
    users = OpenapiClient::UsersApi.new(client(admin_token))
    puts "user #{users.create_user(OpenapiClient::UserCreation.new(email:, password:)).id}"
  end

  sessions = OpenapiClient::SessionsApi.new(client)
  session = sessions.create_session(OpenapiClient::Credentials.new(email:, password:))
  if session.refresh_token
    session = sessions.refresh_session(OpenapiClient::Renewal.new(refresh_token: session.refresh_token))
  end
  puts "token #{session.auth_token}"

  own = OpenapiClient::SessionsApi.new(client(session.auth_token)).list_own_sessions
  puts "sessions #{own.sessions.size}"
end

def failure(reply)
  return reply.message if reply.response_body.nil? # no reply came

  error = OpenapiClient::Error.build_from_hash(JSON.parse(reply.response_body))
  case reply.code
  when 401 then "401 #{error.message}"
  when 429 then "429, try again after #{reply.response_headers['Retry-After']} s"
  else "#{reply.code} #{error.message} #{error.errors}"
  end
end

begin
  run(ENV.fetch('EMAIL'), ENV.fetch('PASSWORD'), ENV['ADMIN_TOKEN'])
rescue OpenapiClient::ApiError => e
  abort failure(e)
rescue ArgumentError => e
  abort e.message
end
