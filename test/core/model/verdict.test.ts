import t from 'tap'
import type {Check} from '../../../src/core/model/verdict.js'
import {verifiedNote} from '../../../src/core/model/verdict.js'

const check = (name: string, state: Check['state'], text = name): Check => ({
  name,
  host: undefined,
  state,
  text,
})

t.test('S16: contents that were not compared are never told to be the same', t => {
  const leader = check('leader', 'ok')
  t.equal(
    verifiedNote({verdict: 'verified', checks: [leader, check('contents', 'ok')]}),
    'one leader, one peer set, one state',
  )
  const unread = check(
    'contents',
    'unknown',
    'the contents of a, b may not be read by us, so they were not compared',
  )
  t.equal(
    verifiedNote({verdict: 'verified', checks: [leader, unread]}),
    'one leader, one peer set; the contents of a, b may not be read by us, so they were not compared',
  )
  t.end()
})
