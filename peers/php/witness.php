<?php
// Reads what the lab asks of `/slow`, and tells it what becomes of the work. Copy this file beside your server.
//
//     $work = new Witness();                 // throws Malformed: answer 400
//     foreach ($work->units() as $pause) {   // says `start`, `beat N` after each pause, and how it ended
//         usleep((int) ($pause * 1e6));
//     }

// A parameter that cannot be understood.
class Malformed extends Exception {}

class Witness
{
    // The instant until which the client waits, in seconds as `hrtime` counts; without its word two from now.
    public readonly float $deadline;
    private readonly ?string $id;
    private readonly float $tick;
    private readonly int $units;

    public function __construct()
    {
        $this->id = $_SERVER['HTTP_X_REQUEST_ID'] ?? null;
        $this->tick = $this->duration('tick', '10ms');
        $this->units = (int) round($this->duration('work', '5s') / $this->tick);
        // PHP reads the body before the script begins.
        $this->choice('body', ['read']);
        $this->choice('style', ['context']);
        $units = ['H' => 3600, 'M' => 60, 'S' => 1, 'm' => 1e-3, 'u' => 1e-6, 'n' => 1e-9];
        $said = preg_match('/^(\d{1,8})([HMSmun])$/', $_SERVER['HTTP_GRPC_TIMEOUT'] ?? '', $found);
        $this->deadline = $this->now() + ($said ? $found[1] * $units[$found[2]] : 2);
    }

    // True when the client waits no longer.
    public function late(): bool
    {
        return $this->now() >= $this->deadline;
    }

    public function units(): Generator
    {
        $this->say('start');
        $beats = 0;
        $began = $this->now();
        try {
            while ($beats < $this->units) {
                yield max(0, $began + ($beats + 1) * $this->tick - $this->now());
                $beats += 1;
                $this->say("beat $beats");
            }
        } finally {
            $this->say($beats < $this->units ? 'end canceled' : 'end completed');
        }
    }

    private function now(): float
    {
        return hrtime(true) / 1e9;
    }

    private function say(string $word): void
    {
        static $lab = null;
        $address = getenv('LAB_WITNESS');
        if ($address && $this->id) {
            $lab ??= stream_socket_client("udp://$address");
            fwrite($lab, "$this->id $word");
        }
    }

    private function duration(string $name, string $preset): float
    {
        $units = ['ms' => 1e-3, 's' => 1, 'm' => 60, 'h' => 3600];
        if (!preg_match('/^(\d+)(ms|s|m|h)$/', $_GET[$name] ?? $preset, $found) || $found[1] < 1) {
            throw new Malformed("parameter `$name` takes a duration such as 250ms or 2s");
        }
        return $found[1] * $units[$found[2]];
    }

    private function choice(string $name, array $words): void
    {
        if (!in_array($_GET[$name] ?? $words[0], $words, true)) {
            throw new Malformed("parameter `$name` takes " . implode(', ', $words));
        }
    }
}
