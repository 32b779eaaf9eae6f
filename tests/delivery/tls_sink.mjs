// A push service over TLS that speaks HTTP/2, as the real ones do. Arguments: certificate, key.
// Writes its port, then one line of JSON for each message: which HTTP, on which connection.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';

const [, , cert, key] = process.argv;
const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
const connections = new Map();

server.on('session', (session) => connections.set(session, connections.size));
server.on('stream', (stream, headers) => {
  stream.resume();
  stream.on('end', () => {
    const line = { path: headers[':path'], connection: connections.get(stream.session) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    stream.respond({ ':status': 201 }, { endStream: true });
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
