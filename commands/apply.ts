import {Args} from '@oclif/core'
import {fleetFlags} from '../src/fleet-flags.js'
import {applyFlags, givenConsent, PlanCommand} from '../src/plan-command.js'
import type {AppliedJson} from '../src/plan-command.js'

/** Applies a saved plan exactly as it is. */
export default class Apply extends PlanCommand {
  static override summary = 'Apply a saved plan, exactly as it was reviewed.'
  static override description =
    'Observes again first and refuses when a fact that the plan rests on has changed, or when the plan has expired. ' +
    'Hosts are reached as the inventory or the flags say; without either, by the names in the plan.'
  static override examples = [
    '<%= config.bin %> peers fix --cluster prod --remove 192.168.1.14 --out plan.json',
    '<%= config.bin %> <%= command.id %> plan.json --cluster prod --confirm prod',
  ]
  static override args = {
    file: Args.string({required: true, description: 'Plan file, as `peers fix --out` writes it.'}),
  }
  static override flags = {...fleetFlags, ...applyFlags}

  /** Loads, asks, applies, shows. */
  async run(): Promise<AppliedJson> {
    const {args, flags} = await this.parse(Apply)
    const terminal = this.terminal(flags)
    const {loadPlan, openPlanSession, hostActionsMaker} = await import('../src/context.js')
    const {obtainConsent} = await import('../src/engine/consent.js')
    const {apply} = await import('../src/engine/use-cases/apply.js')
    const {renderPlan} = await import('../src/ui/views/plan.js')
    const {makeTheme} = await import('../src/ui/theme.js')
    const plan = await loadPlan(args.file)
    const opened = await openPlanSession(flags, plan, terminal)
    try {
      if (!this.jsonEnabled()) this.log(renderPlan(plan, [], await makeTheme(terminal), terminal.width))
      const consent = await obtainConsent(opened.session.deps.prompt, plan, givenConsent(flags))
      const makeActions = await hostActionsMaker()
      const outcome = await this.whileApplying(plan, flags, terminal, running =>
        apply(opened.session, plan, {...running, consent, makeActions}),
      )
      return await this.showOutcome(plan, outcome, terminal)
    } finally {
      await opened.close()
    }
  }
}
