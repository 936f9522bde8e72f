# Mojolicious::Lite as its documentation writes an action that answers later: a timer for the work, and one for the deadline.
use Mojolicious::Lite -signatures;
use Witness;

get '/fast' => {text => "fast\n"};

any ['GET', 'POST'] => '/slow' => sub ($c) {
    my %headers = map { $_ => $c->req->headers->header($_) } qw(x-request-id grpc-timeout);
    my $work = eval { Witness->new($c->req->params->to_hash, \%headers, 'read') };
    return $c->render(text => $@, status => 400) if !$work;
    $c->render_later;
    my ($over, $next);
    my $answer = sub ($status) {
        return if $over++;
        $work->end;
        $c->render(text => "slow\n", status => $status);
    };
    $next = sub (@) {
        return if $over;
        return $answer->(200) if !$work->more;
        Mojo::IOLoop->timer($work->pause => $next);
    };
    Mojo::IOLoop->timer($work->timeout => sub { $answer->(504) });
    $work->begin;
    $next->();
};

app->log->level('error');
app->start;
