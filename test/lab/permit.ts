import t, {type Test} from 'tap'
import {whyNoLab} from './lab.js'

/**
 * A test that needs hosts of its own. Where the machine does not permit them it fails and says what is missing: a
 * suite without its servers proves nothing. A developer may set QUORATE_LAB=off and gets a visible skip, which CI
 * counts as a failure.
 */
export function labTest(title: string, run: (t: Test) => Promise<void>): void {
  if (process.env['QUORATE_LAB'] === 'off') {
    void t.test(title, {skip: 'QUORATE_LAB=off'}, async () => Promise.resolve())
    return
  }
  // Most of a scenario is waiting for servers: a few at a time fit on two processors.
  t.jobs = 3
  void t.test(title, {buffered: true}, async t => {
    const lack = await whyNoLab()
    if (lack === undefined) await run(t)
    else t.fail(`this machine cannot hold test hosts: ${lack}`)
  })
}
