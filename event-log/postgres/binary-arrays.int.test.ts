import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import pg from 'pg';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { toBigintArray, toByteaArray, toTextArray } from './binary-arrays.ts';

describe('binary arrays as parameters', () => {
  let client: pg.Client;

  before(async () => {
    client = new pg.Client({ connectionString: stackEnv.databaseUrl() });
    await client.connect();
  });

  after(() => client.end());

  async function echo(type: string, array: Buffer): Promise<unknown[]> {
    const { rows } = await client.query<{ value: unknown }>(`select value from unnest($1::${type}[]) as value`, [
      array,
    ]);
    return rows.map(({ value }) => value);
  }

  const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed() && !value.includes('\0'));

  it('law: texts arrive as they are, and nulls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(text)), async (texts) => {
        assert.deepEqual(await echo('text', toTextArray(texts)), texts);
      }),
    );
  });

  it('law: safe integers arrive as they are, and nulls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.maxSafeInteger())), async (numbers) => {
        const arrived = await echo('bigint', toBigintArray(numbers));
        assert.deepEqual(
          arrived.map((value) => (value === null ? null : Number(value))),
          numbers,
        );
      }),
    );
  });

  it('takes no number that is not a safe integer', () => {
    assert.throws(() => toBigintArray([1.5]), { name: 'AssertionError' });
  });

  it('law: bytes, and that there are none, arrive as they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.uint8Array())), async (arrays) => {
        const buffers = arrays.map((array) => array && Buffer.from(array));
        assert.deepEqual(await echo('bytea', toByteaArray(buffers)), buffers);
      }),
    );
  });
});
