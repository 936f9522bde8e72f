// http-proxy as https://github.com/http-party/node-http-proxy#setup-a-stand-alone-proxy-server-with-custom-server-logic has it.
const http = require('http');
const httpProxy = require('http-proxy');

const [listen, upstream] = process.argv.slice(2);
const [host, port] = listen.split(':');
const proxy = httpProxy.createProxyServer({ target: 'http://' + upstream });

// Without a handler an error of the upstream ends the process.
proxy.on('error', (error, req, res) => {
    if (!res.headersSent) {
        res.writeHead(502);
    }
    res.end();
});

http.createServer((req, res) => {
    // Knob: proxyTimeout, how long an upstream may say nothing; none by default.
    const options = req.url.startsWith('/brief/') ? { proxyTimeout: 1000 } : {};
    proxy.web(req, res, options);
}).listen(Number(port), host);
