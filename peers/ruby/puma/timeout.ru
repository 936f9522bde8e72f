# Puma with a Rack application under `Timeout.timeout`, which raises in the middle of whatever the work does.
require "timeout"
require_relative "../witness"

def answer(status, text)
  [status, { "content-type" => "text/plain" }, ["#{text}\n"]]
end

def slow(env)
  headers = { "x-request-id" => env["HTTP_X_REQUEST_ID"], "grpc-timeout" => env["HTTP_GRPC_TIMEOUT"] }
  work = Witness.new(Rack::Utils.parse_query(env["QUERY_STRING"]), headers, %w[read])
  Timeout.timeout(work.timeout) do
    work.run { |pause| sleep pause }
  end
  answer(200, "slow")
rescue Timeout::Error
  answer(504, "too late")
rescue Witness::Malformed => error
  answer(400, error.message)
end

run lambda { |env|
  case env["PATH_INFO"]
  when "/fast" then answer(200, "fast")
  when "/slow" then slow(env)
  else answer(404, "no such path")
  end
}
