// Opens encrypted pushes and checks who signed them, with Node's own cryptography and nothing of
// what sent them: RFC 8188, 8291 and 8292 read once more. A JSON list comes in at standard input:
// {body, privateKey, publicKey, auth} in base64url and the Authorization header; a list goes out.
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const bytes = (text) => Buffer.from(text, 'base64url');
const hkdf = (key, salt, info, length) => Buffer.from(hkdfSync('sha256', key, salt, info, length));

function openBody({ body, privateKey, publicKey, auth }) {
  const raw = bytes(body);
  const salt = raw.subarray(0, 16);
  const recordSize = raw.readUInt32BE(16);
  const keyLength = raw.readUInt8(20);
  const sender = raw.subarray(21, 21 + keyLength);
  const record = raw.subarray(21 + keyLength);

  const receiver = createECDH('prime256v1');
  receiver.setPrivateKey(bytes(privateKey));
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), bytes(publicKey), sender]);
  const secret = hkdf(receiver.computeSecret(sender), bytes(auth), info, 32);
  const key = hkdf(secret, salt, 'Content-Encoding: aes128gcm\0', 16);
  const nonce = hkdf(secret, salt, 'Content-Encoding: nonce\0', 12);

  const cipher = createDecipheriv('aes-128-gcm', key, nonce);
  cipher.setAuthTag(record.subarray(-16));
  const padded = Buffer.concat([cipher.update(record.subarray(0, -16)), cipher.final()]);
  const end = padded.findLastIndex((byte) => byte !== 0);
  return {
    text: padded.subarray(0, end).toString('utf8'),
    last: padded[end] === 2, // the mark of a message's only or last record
    single: record.length <= recordSize,
    recordSize,
    keyLength,
  };
}

function openToken(authorization) {
  const [, token, point] = /^vapid t=([^,]+),\s*k=([^,]+)$/.exec(authorization);
  const [header, claims, signature] = token.split('.');
  const raw = bytes(point);
  const key = createPublicKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: raw.subarray(1, 33).toString('base64url'),
      y: raw.subarray(33).toString('base64url'),
    },
  });
  const signed = Buffer.from(`${header}.${claims}`);
  return {
    header: JSON.parse(bytes(header)),
    claims: JSON.parse(bytes(claims)),
    key: point,
    verified: verify(
      'sha256',
      signed,
      { key, dsaEncoding: 'ieee-p1363' },
      bytes(signature),
    ),
  };
}

const messages = JSON.parse(readFileSync(0, 'utf8'));
const opened = messages.map((one) => ({ ...openBody(one), token: openToken(one.authorization) }));
process.stdout.write(JSON.stringify(opened));
