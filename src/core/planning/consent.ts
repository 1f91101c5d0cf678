import type {Consent, OpenRisk, Plan} from '../model/plan.js'

/** The consent a plan of this kind needs, before its open risks are counted. */
export function consentFor(
  plan: Pick<Plan, 'method' | 'risks' | 'data'> & {
    readonly readdress: boolean
    readonly toleranceAfter: number
  },
): Consent {
  if (mustAccept(plan.risks).length > 0) return 'name-and-accept'
  switch (plan.method) {
    case 'start':
    case 'join':
      return 'yes'
    case 'online':
      return plan.toleranceAfter > 0 ? 'yes' : 'name'
    case 'recovery-file':
      return plan.readdress ? 'yes' : 'name'
    case 'live-list':
    case 'best-log-alone':
    case 'back':
      return 'name'
  }
}

/** The risks that must be accepted by code. */
export function mustAccept(risks: readonly OpenRisk[]): readonly OpenRisk[] {
  return risks.filter(risk => risk.mustAccept)
}

/** What the operator gave: a yes, the cluster's name, accepted codes. Each may be missing. */
export interface GivenConsent {
  readonly yes: boolean
  readonly name: string | undefined
  readonly accepted: readonly string[]
}

/** What is still missing of the consent that a plan needs; `given` is true when nothing is. */
export interface ConsentVerdict {
  readonly given: boolean
  readonly missingName: boolean
  readonly missingYes: boolean
  readonly missingCodes: readonly OpenRisk['code'][]
}

/** Judges a consent. A yes never stands in for the name, and the name never for an accepted risk. */
export function isConsentGiven(plan: Plan, given: GivenConsent): ConsentVerdict {
  const needsName = plan.consent === 'name' || plan.consent === 'name-and-accept'
  const named = given.name === plan.cluster
  const missingName = needsName && !named
  const missingYes = plan.consent === 'yes' && !given.yes && !named
  const missingCodes = mustAccept(plan.risks)
    .map(risk => risk.code)
    .filter(code => !given.accepted.includes(code))
  return {
    given: !missingName && !missingYes && missingCodes.length === 0,
    missingName,
    missingYes,
    missingCodes,
  }
}

/** The phrase that accepts every open risk of a plan at once, typed on a terminal. */
export function acceptPhrase(plan: Plan): string {
  const codes = mustAccept(plan.risks).map(risk => risk.code)
  return `accept ${codes.join(' ')}`
}
