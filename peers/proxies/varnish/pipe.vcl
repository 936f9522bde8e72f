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

# The knob: the two connections are joined, and the end of one ends the other. Nothing is kept, and nothing is looked at.
sub vcl_recv {
    if (req.url ~ "^/brief/") {
        set req.backend_hint = brief;
    } elsif (req.url ~ "^/pair/") {
        set req.backend_hint = two.backend();
    }
    return (pipe);
}

# As https://varnish-cache.org/docs/7.1/users-guide/vcl-built-in-subs.html advises: without it a kept connection goes on being
# piped, whatever it asks for next.
sub vcl_pipe {
    set bereq.http.connection = "close";
}

# Retries as https://varnish-cache.org/docs/7.1/users-guide/vcl-built-in-subs.html has them: only what may be sent twice.
sub vcl_backend_error {
    if (bereq.method == "GET" && bereq.url ~ "^/pair/" && bereq.retries == 0) {
        set bereq.backend = two.backend();
        return (retry);
    }
}
