<?php
// PHP-FPM behind nginx, with a script that looks at the clock between two units of its work.
require __DIR__ . '/../witness.php';

function answer(int $status, string $text): void
{
    http_response_code($status);
    header('Content-Type: text/plain');
    echo $text, "\n";
}

function slow(): void
{
    try {
        $work = new Witness();
    } catch (Malformed $error) {
        answer(400, $error->getMessage());
        return;
    }
    foreach ($work->units() as $pause) {
        usleep((int) ($pause * 1e6));
        if ($work->late()) {
            answer(504, 'too late');
            return;
        }
    }
    answer(200, 'slow');
}

match ($_SERVER['DOCUMENT_URI']) {
    '/fast' => answer(200, 'fast'),
    '/slow' => slow(),
    default => answer(404, 'no such path'),
};
