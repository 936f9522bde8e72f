/** The JDK's HttpServer, whose handler waits for a pool to do its work, and no longer than the deadline. */
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.*;

class Pool {
    static final ExecutorService POOL = Executors.newCachedThreadPool();

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
        server.createContext("/fast", exchange -> answer(exchange, 200, "fast"));
        server.createContext("/slow", Pool::slow);
        server.setExecutor(POOL);
        server.start();
    }

    static void slow(HttpExchange exchange) throws IOException {
        try {
            Witness work = new Witness(exchange.getRequestURI().getQuery(), exchange.getRequestHeaders()::getFirst);
            if (work.reads) exchange.getRequestBody().readAllBytes();
            Future<?> done = POOL.submit(() -> { try (work) { while (work.more()) work.unit(); } return null; });
            done.get(work.timeout, TimeUnit.MILLISECONDS);
            answer(exchange, 200, "slow");
        } catch (IllegalArgumentException error) {
            answer(exchange, 400, error.getMessage());
        } catch (TimeoutException | ExecutionException | InterruptedException error) {
            answer(exchange, 504, "too late");
        }
    }

    static void answer(HttpExchange exchange, int status, String text) throws IOException {
        exchange.sendResponseHeaders(status, text.length());
        exchange.getResponseBody().write(text.getBytes());
        exchange.close();
    }
}
