import {acceptPhrase, isConsentGiven, mustAccept} from '../core/planning/consent.js'
import type {GivenConsent} from '../core/planning/consent.js'
import type {Plan} from '../core/model/plan.js'
import {QuorateError} from '../errors.js'
import type {Prompt} from '../ports/prompt.js'

/** A consent as it goes into the journal. */
export interface Consented {
  readonly consent: string
  readonly accepted: readonly string[]
}

/**
 * Obtains the consent that a plan needs, from flags or, on a terminal, by asking: a yes, the cluster's name, or the
 * name and a phrase naming each open risk. The answer by default is no, and nobody to ask is a no as well.
 * Throws NOT_CONFIRMED or RISK_NOT_ACCEPTED; nothing was changed then.
 */
export async function obtainConsent(prompt: Prompt, plan: Plan, given: GivenConsent): Promise<Consented> {
  const verdict = isConsentGiven(plan, given)
  if (verdict.given) return {consent: plan.consent, accepted: [...given.accepted]}
  if (given.name !== undefined && verdict.missingName) {
    throw new QuorateError(
      'NOT_CONFIRMED',
      `--confirm names '${given.name}', but the plan is for '${plan.cluster}'.`,
      {
        hints: [`--confirm ${plan.cluster}`],
      },
    )
  }
  if (!prompt.interactive) {
    const hints = missingFlags(plan, given)
    if (!verdict.missingName && !verdict.missingYes) {
      throw new QuorateError(
        'RISK_NOT_ACCEPTED',
        `The plan has open risks that were not accepted: ${verdict.missingCodes.join(', ')}.`,
        {hints},
      )
    }
    throw new QuorateError(
      'NOT_CONFIRMED',
      'Nothing was changed: there is nobody to ask, and the plan needs a confirmation.',
      {hints},
    )
  }
  await ask(prompt, plan, verdict.missingYes, verdict.missingName)
  if (verdict.missingCodes.length > 0) {
    const phrase = acceptPhrase(plan)
    const answer = await prompt.text(
      `Open risks: ${verdict.missingCodes.join(', ')}. Type '${phrase}' to accept them, or Enter to leave:`,
    )
    if (answer?.trim() !== phrase) throw declined()
  }
  return {consent: plan.consent, accepted: mustAccept(plan.risks).map(risk => risk.code)}
}

async function ask(prompt: Prompt, plan: Plan, missingYes: boolean, missingName: boolean): Promise<void> {
  if (missingYes && (await prompt.confirm('Apply?')) !== true) throw declined()
  if (!missingName) return
  const answer = await prompt.text(`Type the cluster's name to apply this plan, or Enter to leave:`)
  if (answer?.trim() !== plan.cluster) throw declined()
}

function missingFlags(plan: Plan, given: GivenConsent): readonly string[] {
  const verdict = isConsentGiven(plan, given)
  const flags = [
    ...(verdict.missingYes ? ['--yes'] : []),
    ...(verdict.missingName ? [`--confirm ${plan.cluster}`] : []),
    ...verdict.missingCodes.map(code => `--accept ${code}`),
  ]
  return [flags.join(' ')]
}

const declined = (): QuorateError =>
  new QuorateError('NOT_CONFIRMED', 'Nothing was changed: the plan was not confirmed.')
