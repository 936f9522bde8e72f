/** Jetty embedded, with a handler that looks at the clock between two units of its work. */
import java.io.IOException;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.AbstractHandler;

class Plain extends AbstractHandler {
    public static void main(String[] args) throws Exception {
        Server server = new Server(new java.net.InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])));
        server.setHandler(new Plain());
        server.start();
    }

    @Override
    public void handle(String target, Request base, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        base.setHandled(true);
        if (target.equals("/fast")) response.getWriter().println("fast");
        else if (target.equals("/slow")) slow(request, response);
        else response.sendError(404);
    }

    void slow(HttpServletRequest request, HttpServletResponse response) throws IOException {
        long deadline = System.nanoTime();
        try (Witness work = new Witness(request.getQueryString(), request::getHeader)) {
            deadline += work.timeout * 1_000_000;
            if (work.reads) request.getInputStream().readAllBytes();
            while (work.more() && System.nanoTime() < deadline) work.unit();
            if (System.nanoTime() >= deadline) response.sendError(504, "too late");
            else response.getWriter().println("slow");
        } catch (IllegalArgumentException error) {
            response.sendError(400, error.getMessage());
        } catch (InterruptedException error) {
            response.sendError(500, "interrupted");
        }
    }
}
