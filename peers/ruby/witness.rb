# frozen_string_literal: true

# Reads what the lab asks of `/slow`, and tells it what becomes of the work. Copy this file beside your server.
#
#   work = Witness.new(query, headers)     # two hashes; raises Witness::Malformed: answer 400
#   work.run do |pause|                    # says `start`, `beat N` after each pause, and how it ended
#     sleep pause                          # leave with `break`
#   end                                    # => true when all is done
require "socket"

class Witness
  # A parameter that cannot be understood.
  class Malformed < ArgumentError; end

  UNITS = { "ms" => 1e-3, "s" => 1, "m" => 60, "h" => 3600 }.freeze
  BUDGET_UNITS = { "H" => 3600, "M" => 60, "S" => 1, "m" => 1e-3, "u" => 1e-6, "n" => 1e-9 }.freeze
  HEARTBEATS = UDPSocket.new

  # How long the client still waited at the beginning, in seconds; without its word two.
  attr_reader :timeout

  # `bodies` says less where a server reads the body whatever the application does.
  def initialize(query, headers, bodies = %w[read ignore drop])
    @id = headers["x-request-id"]
    @tick = duration(query, "tick", "10ms")
    @units = (duration(query, "work", "5s") / @tick).round
    @reads = choice(query, "body", bodies) == "read"
    choice(query, "style", %w[context])
    budget = /\A(\d{1,8})([HMSmun])\z/.match(headers["grpc-timeout"] || "2S") || [nil, 2, "S"]
    @timeout = budget[1].to_i * BUDGET_UNITS[budget[2]]
    @deadline = now + @timeout
  end

  # True when the body is to be read before the work begins.
  def reads?
    @reads
  end

  # True when the client waits no longer.
  def late?
    now >= @deadline
  end

  def run
    say("start")
    beats, began_at = 0, now
    while beats < @units
      yield [0, began_at + (beats + 1) * @tick - now].max
      say("beat #{beats += 1}")
    end
    true
  ensure
    say(beats < @units ? "end canceled" : "end completed")
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def say(word)
    host, port = ENV["LAB_WITNESS"]&.split(":")
    HEARTBEATS.send("#{@id} #{word}", 0, host, port.to_i) if host && @id
  end

  def duration(query, name, preset)
    found = /\A(\d+)(ms|s|m|h)\z/.match(query[name] || preset)
    raise Malformed, "parameter `#{name}` takes a duration such as 250ms or 2s" unless found && found[1].to_i.positive?

    found[1].to_i * UNITS[found[2]]
  end

  def choice(query, name, words)
    word = query[name] || words.first
    raise Malformed, "parameter `#{name}` takes #{words.join(', ')}" unless words.include?(word)

    word
  end
end
