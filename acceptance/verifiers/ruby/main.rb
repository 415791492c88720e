# Answers each token of standard input with a line, by the program of docs/verifying-programs.md that the argument names.
require_relative ARGV.fetch(0)

$stdout.sync = true
$stdin.each_line(chomp: true) do |token|
  puts "good #{verify(token)}"
rescue JWT::DecodeError => e
  puts "bad #{e.message}"
rescue StandardError => e
  puts "down #{e.message}"
end
