import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what the lab asks of /slow, and tells it what becomes of the work. Copy this file beside your server.
 *
 * <pre>
 * Witness work = new Witness(query, name -> header);   // IllegalArgumentException: answer 400
 * try (work) {                                         // says how the work ended
 *     while (work.more()) {                            // says "start", and "beat N" after each unit
 *         work.unit();                                 // sleeps to the unit's end
 *     }
 * }
 * </pre>
 */
final class Witness implements AutoCloseable {
    private static final String LAB = System.getenv("LAB_WITNESS");
    private static final Map<String, Double> UNITS = Map.of("ms", 1.0, "s", 1e3, "m", 6e4, "h", 3.6e6);
    private static final Map<String, Double> BUDGET_UNITS =
            Map.of("H", 3.6e6, "M", 6e4, "S", 1e3, "m", 1.0, "u", 1e-3, "n", 1e-6);
    private static final DatagramSocket SOCKET = socket();

    /** How long the client still waits, in milliseconds; without its word two seconds. */
    final long timeout;
    /** True when the body is to be read before the work begins. */
    final boolean reads;

    private final String id;
    private final double tick;
    private final long units;
    private long begun;
    private long beganAt;

    Witness(String query, UnaryOperator<String> header) {
        Map<String, String> given = new TreeMap<>();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            given.put(pair.split("=", 2)[0], pair.substring(pair.indexOf('=') + 1));
        }
        id = header.apply("X-Request-Id");
        tick = duration(given, "tick", "10ms");
        units = Math.round(duration(given, "work", "5s") / tick);
        reads = choice(given, "body", List.of("read", "ignore", "drop")).equals("read");
        choice(given, "style", List.of("context"));
        String budget = header.apply("grpc-timeout");
        Matcher found = Pattern.compile("(\\d{1,8})([HMSmun])").matcher(budget == null ? "" : budget);
        timeout = found.matches() ? (long) Math.ceil(Long.parseLong(found.group(1)) * BUDGET_UNITS.get(found.group(2))) : 2000;
    }

    /** Says that a unit has ended, and tells whether there is another. */
    boolean more() {
        say(begun == 0 ? "start" : "beat " + begun);
        if (begun == 0) {
            beganAt = System.nanoTime();
        }
        begun += 1;
        return begun <= units;
    }

    /** Sleeps to the end of the unit. */
    void unit() throws InterruptedException {
        long left = beganAt + (long) (begun * tick * 1e6) - System.nanoTime();
        Thread.sleep(Math.max(0, left) / 1_000_000, (int) (Math.max(0, left) % 1_000_000));
    }

    /** Says how the work ended. */
    @Override
    public void close() {
        if (begun > 0) {
            say(begun > units ? "end completed" : "end canceled");
        }
    }

    private void say(String word) {
        if (LAB == null || id == null) {
            return;
        }
        byte[] bytes = (id + " " + word).getBytes();
        String[] address = LAB.split(":");
        try {
            SOCKET.send(new DatagramPacket(bytes, bytes.length, new InetSocketAddress(address[0], Integer.parseInt(address[1]))));
        } catch (java.io.IOException error) {
            // The lab is gone, and with it the reason to tell it anything.
        }
    }

    private static DatagramSocket socket() {
        try {
            return new DatagramSocket();
        } catch (java.net.SocketException error) {
            throw new IllegalStateException(error);
        }
    }

    private static double duration(Map<String, String> given, String name, String preset) {
        Matcher found = Pattern.compile("(\\d{1,9})(ms|s|m|h)").matcher(given.getOrDefault(name, preset));
        if (!found.matches() || Long.parseLong(found.group(1)) == 0) {
            throw new IllegalArgumentException("parameter `" + name + "` takes a duration such as 250ms or 2s");
        }
        return Long.parseLong(found.group(1)) * UNITS.get(found.group(2));
    }

    private static String choice(Map<String, String> given, String name, List<String> words) {
        String word = given.getOrDefault(name, words.get(0));
        if (!words.contains(word)) {
            throw new IllegalArgumentException("parameter `" + name + "` takes " + String.join(", ", words));
        }
        return word;
    }
}
