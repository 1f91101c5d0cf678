import t from 'tap'
import {diagnose} from '../../../src/core/diagnose/diagnose.js'
import type {ContentsComparison} from '../../../src/core/model/contents.js'
import type {Finding, FindingCode} from '../../../src/core/model/finding.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {NOW_MS, fleet} from '../../helpers/fleet.js'
import type {RuleCases} from './cases/case.js'
import {hostCases} from './cases/host.js'
import {membershipCases} from './cases/membership.js'

/** By type every code has cases. */
const cases: Readonly<Record<FindingCode, RuleCases>> = {...membershipCases, ...hostCases}

const findingsOf = (
  servers: readonly ServerObservation[],
  contents: ContentsComparison | undefined,
): readonly Finding[] =>
  diagnose(
    {...fleet({servers}), ...(contents === undefined ? {} : {contents})},
    {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []},
  ).findings

for (const [code, {fires, silent, contents}] of Object.entries(cases)) {
  t.test(code, async t => {
    for (const [name, servers] of Object.entries(fires)) {
      const found = findingsOf(servers, contents?.[name]).filter(finding => finding.code === code)
      t.ok(found.length > 0, `speaks: ${name}`)
      for (const finding of found) {
        t.ok(finding.evidence.length > 0, `shows evidence: ${name}`)
        t.match(finding.summary, /\S.*[.]$/, 'its summary is a sentence')
        t.match(finding.explanation, /\S.*[.]$/, 'its explanation is made of sentences')
        t.notMatch(`${finding.summary} ${finding.explanation}`, /undefined|NaN|\[object/)
      }
    }
    for (const [name, servers] of Object.entries(silent)) {
      const codes = findingsOf(servers, contents?.[name]).map(finding => finding.code)
      t.notOk(codes.includes(code as FindingCode), `stays silent: ${name}`)
    }
    t.ok(Object.keys(fires).length > 0 && Object.keys(silent).length > 0, 'has a hit and a near miss')
  })
}
