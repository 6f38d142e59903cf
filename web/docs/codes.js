// Shows what the codes mean, and whether to try again.
import { code, table } from './elements.js';

export function closeCodes(codes) {
  const rows = Object.entries(codes).map(([name, { code: number, reconnect, afterMs, reason }]) => ({
    id: `close-${number}`,
    cells: [String(number), code(name), reason, reconnect ? after(afterMs) : 'no'],
  }));
  return table(['Code', 'Name', 'Meaning', 'Come back?'], rows);
}

/** `more` are further columns: a title, and what to show of a code. */
export function errorCodes(codes, ...more) {
  const rows = Object.entries(codes).map(([name, rule]) => ({
    id: `code-${name}`,
    cells: [code(name), ...more.map(([, show]) => show(rule)), rule.retry ? after(rule.afterMs) : 'no', rule.title],
  }));
  return table(['Code', ...more.map(([title]) => title), 'Try again?', 'Meaning'], rows);
}

function after(ms) {
  return ms === 0 ? 'yes' : `yes, after ${ms / 1_000} s or more`;
}
