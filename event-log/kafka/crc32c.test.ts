import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { crc32c } from './crc32c.ts';

describe('crc32c', () => {
  // Check value and test vectors of RFC 3720, appendix B.4.
  const vectors: [string, Buffer, number][] = [
    ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
    ['32 bytes of zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['32 incrementing bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ['nothing', Buffer.alloc(0), 0],
  ];
  for (const [name, bytes, checksum] of vectors) {
    it(`of ${name} is the published one, at any place in a buffer`, () => {
      for (let before = 0; before < 9; before++) {
        const placed = Buffer.concat([Buffer.alloc(before, 0xaa), bytes, Buffer.from('after')]);
        assert.equal(crc32c(placed, before, before + bytes.length), checksum);
      }
    });
  }
});
