import {spawnSync} from 'node:child_process'
import {writeSync} from 'node:fs'
import {JournalFile} from '../../src/adapters/journal-file.js'

/**
 * Appends until no file may grow any more, which tears a line as a full disk does, then gets room and appends once
 * more. Prints the code of the refusal and how many entries were acknowledged before it.
 */
process.on('SIGXFSZ', () => undefined)
const store = new JournalFile(process.argv[2] ?? '')
const entry = (seq: number) =>
  ({type: 'begin', seq, atMs: seq, plan: 'p1', step: `s${seq}`, host: 'h'}) as const
await store.append(entry(1))
spawnSync('prlimit', ['--fsize=200:unlimited', '--pid', String(process.pid)])
for (let seq = 2; seq < 100; seq++) {
  try {
    await store.append(entry(seq))
  } catch (error) {
    writeSync(1, `${String((error as {code?: unknown}).code)} ${seq - 1}\n`)
    spawnSync('prlimit', ['--fsize=unlimited:unlimited', '--pid', String(process.pid)])
    await store.append(entry(100))
    break
  }
}
await store.close()
