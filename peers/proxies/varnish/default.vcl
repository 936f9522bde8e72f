# Varnish as https://varnish-cache.org/docs/7.1/users-guide/vcl-backends.html has it.
vcl 4.1;

import directors;

backend default {
    .host = "127.0.0.1";
    .port = "{upstream_port}";
}

backend brief {
    .host = "127.0.0.1";
    .port = "{upstream_port}";
    .first_byte_timeout = 1s;
    .between_bytes_timeout = 1s;
}

backend brief_second {
    .host = "127.0.0.1";
    .port = "{second_port}";
    .first_byte_timeout = 1s;
    .between_bytes_timeout = 1s;
}

sub vcl_init {
    new two = directors.round_robin();
    two.add_backend(brief);
    two.add_backend(brief_second);
}

# Knob: a request that cannot be kept is fetched by a thread of its own, which the client's thread waits for. No knob has the
# client watched meanwhile; only `return (pipe)` joins the two connections.
sub vcl_recv {
    if (req.url ~ "^/brief/") {
        set req.backend_hint = brief;
    } elsif (req.url ~ "^/pair/") {
        set req.backend_hint = two.backend();
    }
}

# Retries as https://varnish-cache.org/docs/7.1/users-guide/vcl-built-in-subs.html has them: only what may be sent twice.
sub vcl_backend_error {
    if (bereq.method == "GET" && bereq.url ~ "^/pair/" && bereq.retries == 0) {
        set bereq.backend = two.backend();
        return (retry);
    }
}
