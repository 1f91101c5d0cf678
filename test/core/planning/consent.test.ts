import t from 'tap'
import type {OpenRisk, Plan} from '../../../src/core/model/plan.js'
import {acceptPhrase, consentFor, isConsentGiven} from '../../../src/core/planning/consent.js'
import {silent} from '../../helpers/fleet.js'
import {plan, planned, survivors} from './planning.js'

const risk = (mustAccept: boolean): OpenRisk => ({code: 'DATA_LOSS', text: 'x', mustAccept})
const grade = (
  method: Plan['method'],
  parts: {risks?: OpenRisk[]; readdress?: boolean; toleranceAfter?: number} = {},
) =>
  consentFor({
    method,
    risks: parts.risks ?? [],
    data: made.data,
    readdress: parts.readdress ?? false,
    toleranceAfter: parts.toleranceAfter ?? 1,
  })
const made = planned(
  plan([...survivors(['a'], ['a', 'b', 'c']), silent('b'), silent('c')], {remove: ['b', 'c']}),
)

t.test('consent grows with what is at stake', async t => {
  t.equal(grade('start'), 'yes')
  t.equal(grade('online'), 'yes')
  t.equal(grade('online', {toleranceAfter: 0}), 'name')
  t.equal(grade('recovery-file', {readdress: true}), 'yes')
  t.equal(grade('recovery-file'), 'name')
  t.equal(grade('live-list'), 'name')
  t.equal(grade('recovery-file', {risks: [risk(true)]}), 'name-and-accept')
  t.equal(grade('recovery-file', {risks: [risk(false)]}), 'name')
})

t.test('a yes never stands in for the name, nor the name for a risk', async t => {
  const none = {yes: false, name: undefined, accepted: []}
  t.match(isConsentGiven(made, none), {given: false, missingName: true})
  t.match(isConsentGiven(made, {...none, yes: true}), {given: false, missingName: true})
  t.match(isConsentGiven(made, {...none, name: 'other'}), {given: false, missingName: true})
  t.match(isConsentGiven(made, {...none, name: 'test'}), {
    given: false,
    missingName: false,
    missingCodes: ['DATA_LOSS', 'UNFENCED_MAJORITY'],
  })
  t.match(isConsentGiven(made, {...none, name: 'test', accepted: ['DATA_LOSS']}), {given: false})
  t.match(isConsentGiven(made, {...none, name: 'test', accepted: ['DATA_LOSS', 'UNFENCED_MAJORITY']}), {
    given: true,
  })
  t.equal(acceptPhrase(made), 'accept DATA_LOSS UNFENCED_MAJORITY')
})

t.test('a plan that needs a yes takes it, or the name', async t => {
  const mild: Plan = {...made, consent: 'yes', risks: []}
  t.equal(isConsentGiven(mild, {yes: true, name: undefined, accepted: []}).given, true)
  t.equal(isConsentGiven(mild, {yes: false, name: 'test', accepted: []}).given, true)
  t.equal(isConsentGiven(mild, {yes: false, name: undefined, accepted: []}).given, false)
})
