import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import {fleetFlags} from '../src/fleet-flags.js'
import {reconcileFlag} from '../src/plan-flags.js'
import type {Verdict} from '../src/core/model/verdict.js'

interface VerifyJson {
  readonly plan: string
  readonly verdict: Verdict['verdict']
  readonly checks: Verdict['checks']
}

const exits = {verified: 'ok', converging: 'unverified', failed: 'verify-failed'} as const

/** Judges whether a cluster is as its plan promised. */
export default class Verify extends BaseCommand<VerifyJson> {
  static override summary =
    'Check that a cluster is as its plan promised: leader, peer sets, gossip, contents.'
  static override description =
    'Samples every server of the plan for at least one reconcile interval, for raft and gossip must agree all that ' +
    'time. Writes, reads back and removes one test key where the token allows.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 4f1c9a',
    '<%= config.bin %> <%= command.id %> --cluster prod',
  ]
  static override args = {id: Args.string({description: 'Plan; the newest of the cluster by default.'})}
  static override flags = {
    ...fleetFlags,
    within: Flags.integer({
      min: 1,
      max: 86_400,
      default: 150,
      env: 'QUORATE_VERIFY_WITHIN',
      helpValue: 'SECONDS',
      summary: 'Time to converge.',
    }),
    ...reconcileFlag,
  }

  /** Samples, judges, shows. */
  async run(): Promise<VerifyJson> {
    const {args, flags} = await this.parse(Verify)
    const terminal = this.terminal(flags)
    const {openJournal, openPlanSession} = await import('../src/context.js')
    const {knownPlan} = await import('../src/engine/use-cases/resume.js')
    const {newestPlan, verify} = await import('../src/engine/use-cases/verify.js')
    const {renderVerdict} = await import('../src/ui/views/verify.js')
    const journal = await openJournal()
    const id = args.id ?? (await newestPlan(journal.deps.journal, flags.cluster))
    const opened = await openPlanSession(flags, await knownPlan(journal, id), terminal)
    try {
      const {plan, verdict} = await verify(opened.session, id, {
        times: {withinMs: flags.within * 1000, reconcileMs: flags.reconcile * 1000},
        onMissing: () => undefined,
      })
      return await this.show(
        {
          result: {plan: plan.id, ...verdict},
          cluster: plan.cluster,
          exit: exits[verdict.verdict],
          screen: theme => renderVerdict(plan, verdict, {theme, width: terminal.width}),
        },
        terminal,
      )
    } finally {
      await opened.close()
    }
  }
}
