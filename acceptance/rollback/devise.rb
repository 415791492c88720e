# A Rails app's model of users: Devise with a pepper. Nothing is sent.
require_relative 'active_record'
require 'devise'
require 'devise/orm/active_record'

Devise.setup do |config|
  config.pepper = ENV.fetch('PEPPER')
  config.stretches = 4
end

class User < ActiveRecord::Base
  devise :database_authenticatable, :confirmable, :lockable
  before_create :skip_confirmation!

  def self.create_table
    connection.create_table(:users) do |t|
      t.string :email, null: false, default: '', index: { unique: true }
      t.string :encrypted_password, null: false, default: ''
      t.string :confirmation_token, :unlock_token, :unconfirmed_email
      t.integer :failed_attempts, null: false, default: 0
      t.datetime :confirmed_at, :confirmation_sent_at, :locked_at
      t.timestamps
    end
  end

  def log_in(password) = valid_password?(password) && active_for_authentication?
end

serve_app
