import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseJavaVersion } from './ensure-tools.ts';

describe('the version of Java', () => {
  it('is read from what each vendor prints', () => {
    assert.equal(parseJavaVersion('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17)'), 17);
    assert.equal(parseJavaVersion('java version "21" 2023-09-19 LTS'), 21);
    assert.equal(parseJavaVersion('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25.0.1" 2025-10-21'), 25);
  });

  it('is below any that is wanted when it is old or not there', () => {
    assert.equal(parseJavaVersion('java version "1.8.0_202"'), 1);
    assert.equal(parseJavaVersion('The operation couldn’t be completed. Unable to locate a Java Runtime.'), 0);
  });
});
