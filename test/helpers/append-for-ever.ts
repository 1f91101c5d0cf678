import {writeSync} from 'node:fs'
import {JournalFile} from '../../src/adapters/journal-file.js'

/** A process to be killed: appends entries for ever and prints the number of each once it is acknowledged. */
const store = new JournalFile(process.argv[2] ?? '')
await store.lock('p1')
for (let seq = 1; ; seq++) {
  await store.append({type: 'begin', seq, atMs: seq, plan: 'p1', step: `s${seq}`, host: 'h'})
  writeSync(1, `${seq}\n`)
}
