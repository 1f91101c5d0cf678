import {Args, Flags} from '@oclif/core'
import {fleetFlags} from '../src/fleet-flags.js'
import {applyFlags, givenConsent, PlanCommand} from '../src/plan-command.js'
import type {AppliedJson} from '../src/plan-command.js'

/** Goes on with a plan whose journal stops part-way, or takes it back. */
export default class Resume extends PlanCommand {
  static override summary = 'Go on with a plan that stopped part-way, or take it back.'
  static override description =
    'The journal says what was begun, the hosts say what is so; where they differ the hosts are right. Taking back is ' +
    'all hosts or none, and is refused once a leader has committed since the plan.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 4f1c9a',
    '<%= config.bin %> <%= command.id %> 4f1c9a --back',
  ]
  static override args = {id: Args.string({required: true, description: 'Plan, as `history` lists it.'})}
  static override flags = {
    ...fleetFlags,
    ...applyFlags,
    back: Flags.boolean({summary: 'Take back what was done instead.'}),
  }

  /** Looks where the plan stands, asks, goes on, shows. */
  async run(): Promise<AppliedJson> {
    const {args, flags} = await this.parse(Resume)
    const terminal = this.terminal(flags)
    const {openPlanSession, hostActionsMaker, openJournal} = await import('../src/context.js')
    const {obtainConsent} = await import('../src/engine/consent.js')
    const {knownPlan, resume} = await import('../src/engine/use-cases/resume.js')
    const plan = await knownPlan(await openJournal(), args.id)
    const opened = await openPlanSession(flags, plan, terminal)
    try {
      const makeActions = await hostActionsMaker()
      const resumed = await this.whileApplying(plan, flags, terminal, running =>
        resume(opened.session, args.id, {
          ...running,
          makeActions,
          back: flags.back,
          consent: asked => obtainConsent(opened.session.deps.prompt, asked, givenConsent(flags)),
        }),
      )
      return await this.showOutcome(resumed.plan, resumed.outcome, terminal)
    } finally {
      await opened.close()
    }
  }
}
