import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import type {Resumed} from '../src/engine/use-cases/resume.js'
import {fleetFlags} from '../src/fleet-flags.js'
import {consentFlags, progressFlag, reconcileFlag} from '../src/plan-flags.js'

/** What `resume --json` prints. */
interface ResumeResult {
  readonly plan: string
  readonly method: string
  readonly outcome: Resumed['outcome']
}

/** Goes on with a plan whose journal stops part-way, or takes it back. */
export default class Resume extends BaseCommand<ResumeResult> {
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
    ...consentFlags,
    ...progressFlag,
    ...reconcileFlag,
    back: Flags.boolean({summary: 'Take back what was done instead.'}),
  }

  /** Looks where the plan stands, asks, goes on. */
  async run(): Promise<ResumeResult> {
    const {args, flags} = await this.parse(Resume)
    const terminal = this.terminal(flags)
    const times = {reconcileMs: flags.reconcile * 1000}
    const {openJournal, openPlanSession, hostActionsMaker} = await import('../src/context.js')
    const {obtainConsent} = await import('../src/engine/consent.js')
    const {knownPlan, resume} = await import('../src/engine/use-cases/resume.js')
    const {exitOf, runPlan} = await import('../src/run-plan.js')
    const {renderOutcome} = await import('../src/ui/views/progress.js')
    const known = await knownPlan(await openJournal(), args.id)
    const opened = await openPlanSession(flags, known, terminal)
    try {
      const given = {yes: flags.yes, name: flags.confirm, accepted: flags.accept ?? []}
      const makeActions = await hostActionsMaker(opened.session.fleet)
      const style = flags.progress ?? (this.jsonEnabled() ? 'silent' : 'lines')
      const {plan, outcome} = await runPlan(known, terminal, style, async running =>
        resume(opened.session, args.id, {
          ...running,
          makeActions,
          times,
          back: flags.back,
          consent: asked => obtainConsent(opened.session.deps.prompt, asked, given),
        }),
      )
      const layout = {width: terminal.width, again: opened.session.named}
      return await this.show(
        {
          result: {plan: plan.id, method: plan.method, outcome},
          cluster: plan.cluster,
          exit: outcome.kind === 'nothing-to-do' ? 'ok' : exitOf(outcome),
          screen: theme =>
            outcome.kind === 'nothing-to-do'
              ? `NOTHING TO DO   ${outcome.why}`
              : renderOutcome(plan, outcome, {...layout, theme}),
        },
        terminal,
      )
    } finally {
      await opened.close()
    }
  }
}
