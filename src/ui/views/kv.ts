import type {KeyValue} from '../../client/kv.js'
import {printable} from '../../core/text.js'

const VALUE_MAX = 1 << 20

/** Bytes as text for a terminal: lines stay lines, whatever else could move the cursor shows as what it is. */
export function renderValue(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes.subarray(0, VALUE_MAX))
  return text
    .split('\n')
    .map(line =>
      line
        .split('\t')
        .map(part => printable(part, VALUE_MAX))
        .join('\t'),
    )
    .join('\n')
}

/** Keys with their values, one per line, as `consul kv get -recurse` prints them. */
export function renderKeyValues(keys: readonly KeyValue[], valueOf: (key: KeyValue) => string): string {
  return keys.map(one => `${printable(one.key, 1000)}:${valueOf(one)}`).join('\n')
}

/** Everything that is kept of keys, one after another. */
export function renderKeyDetails(keys: readonly KeyValue[], valueOf: (key: KeyValue) => string): string {
  return keys
    .map(one => {
      const rows: readonly (readonly [string, string])[] = [
        ['CreateIndex', String(one.createIndex)],
        ['Flags', one.flags],
        ['Key', printable(one.key, 1000)],
        ['LockIndex', String(one.lockIndex)],
        ['ModifyIndex', String(one.modifyIndex)],
        ['Session', printable(one.session ?? '-', 100)],
        ['Value', valueOf(one)],
      ]
      return rows.map(([name, value]) => `${name.padEnd(17)}${value}`.trimEnd()).join('\n')
    })
    .join('\n\n')
}
