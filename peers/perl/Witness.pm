package Witness;

# Reads what the lab asks of `/slow`, and tells it what becomes of the work. Copy this file beside your server.
#
#   my $work = Witness->new($query, $headers);   # two hashes; dies with a sentence: answer 400
#   $work->begin;                                # says `start`
#   while ($work->more) {                        # says `beat N` after each unit
#       sleep $work->pause;
#   }
#   $work->end;                                  # says `end completed` or `end canceled`, once

use v5.32;
use warnings;
use IO::Socket::INET;
use POSIX qw(ceil);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my %UNITS = (ms => 1e-3, s => 1, m => 60, h => 3600);
my %BUDGET_UNITS = (H => 3600, M => 60, S => 1, m => 1e-3, u => 1e-6, n => 1e-9);
my $lab = $ENV{LAB_WITNESS} && IO::Socket::INET->new(PeerAddr => $ENV{LAB_WITNESS}, Proto => 'udp');

# `@bodies` says less where a server reads the body whatever the application does.
sub new {
    my ($class, $query, $headers, @bodies) = @_;
    my $self = bless {id => $headers->{'x-request-id'}, begun => 0}, $class;
    $self->{tick} = _duration($query, 'tick', '10ms');
    $self->{units} = int(_duration($query, 'work', '5s') / $self->{tick} + 0.5);
    _choice($query, 'body', @bodies ? @bodies : qw(read ignore drop));
    _choice($query, 'style', 'context');
    my ($number, $unit) = ($headers->{'grpc-timeout'} // '2S') =~ /^(\d{1,8})([HMSmun])$/;
    $self->{timeout} = defined $number ? $number * $BUDGET_UNITS{$unit} : 2;
    return $self;
}

# How long the client still waited at the beginning, in seconds; without its word two.
sub timeout { $_[0]{timeout} }

sub begin {
    my $self = shift;
    $self->{began_at} = clock_gettime(CLOCK_MONOTONIC);
    $self->_say('start');
}

sub more {
    my $self = shift;
    $self->_say("beat $self->{begun}") if $self->{begun};
    return $self->{begun}++ < $self->{units};
}

# The time left to the end of the unit, in seconds.
sub pause {
    my $self = shift;
    my $left = $self->{began_at} + $self->{begun} * $self->{tick} - clock_gettime(CLOCK_MONOTONIC);
    return $left > 0 ? $left : 0;
}

sub end {
    my $self = shift;
    return if !$self->{began_at} || $self->{ended}++;
    $self->_say($self->{begun} > $self->{units} ? 'end completed' : 'end canceled');
}

sub _say {
    my ($self, $word) = @_;
    $lab->send("$self->{id} $word") if $lab && $self->{id};
}

sub _duration {
    my ($query, $name, $preset) = @_;
    my ($number, $unit) = ($query->{$name} // $preset) =~ /^(\d+)(ms|s|m|h)$/;
    die "parameter `$name` takes a duration such as 250ms or 2s\n" if !$number;
    return $number * $UNITS{$unit};
}

sub _choice {
    my ($query, $name, @words) = @_;
    my $word = $query->{$name} // $words[0];
    die "parameter `$name` takes @words\n" if !grep { $_ eq $word } @words;
}

1;
