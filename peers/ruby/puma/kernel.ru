# Puma with a Rack application that asks the kernel about the client's socket between two units of its work.
require_relative "../witness"

def answer(status, text)
  [status, { "content-type" => "text/plain" }, ["#{text}\n"]]
end

# TCP_INFO begins with the state of the connection: 1 is established.
def left?(socket)
  socket.getsockopt(Socket::SOL_TCP, Socket::TCP_INFO).unpack("C").first != 1
end

def slow(env)
  headers = { "x-request-id" => env["HTTP_X_REQUEST_ID"], "grpc-timeout" => env["HTTP_GRPC_TIMEOUT"] }
  work = Witness.new(Rack::Utils.parse_query(env["QUERY_STRING"]), headers, %w[read])
  done = work.run do |pause|
    sleep pause
    break if work.late? || left?(env["puma.socket"])
  end
  done ? answer(200, "slow") : answer(504, "too late")
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
