import {Flags} from '@oclif/core'
import {BaseCommand} from '../../src/base-command.js'
import type {MilderWay, PeersFixIntent, Plan} from '../../src/core/model/plan.js'
import type {ApplyOutcome} from '../../src/core/model/progress.js'
import {fleetFlags} from '../../src/fleet-flags.js'
import {parseReaddress} from '../../src/engine/readdress-words.js'
import {consentFlags, progressFlag, reconcileFlag} from '../../src/plan-flags.js'

/** What `peers fix --json` prints. */
export interface PeersFixResult {
  readonly plan: Plan | null
  readonly why: string | null
  readonly milder: readonly MilderWay[]
  readonly savedTo: string | null
  readonly outcome: ApplyOutcome | null
}

/** Plans a change of the peer set, shows it, and applies it if confirmed. */
export default class PeersFix extends BaseCommand<PeersFixResult> {
  static override summary =
    'Bring a leader back, take servers out of the peer set, or correct their addresses.'
  static override description =
    'Chooses the least drastic way that works and names it: start what is only stopped, remove through the leader, or a recovery file behind a proven barrier. ' +
    'The plan is shown first and nothing is changed before it is confirmed. --remove of a server that does not answer declares it dead: it must never come back with the data it has.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --remove 192.168.1.14',
    '<%= config.bin %> <%= command.id %> --cluster prod --remove server4 --remove server5 --dry-run',
    '<%= config.bin %> <%= command.id %> --readdress 10.0.0.4:8300=10.0.9.4:8300',
    '<%= config.bin %> <%= command.id %> --remove 192.168.1.14 --out plan.json',
  ]
  static override strict = false
  static override flags = {
    ...fleetFlags,
    remove: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'SERVER',
      summary: 'Server to take out: address, id, name or host.',
    }),
    dead: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      aliases: ['declare-dead'],
      helpValue: 'SERVER',
      summary: 'Server that is gone for ever. It must agree with what is seen.',
    }),
    keep: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'SERVER',
      summary: 'Keep only these servers.',
    }),
    history: Flags.string({
      helpValue: 'SERVER',
      summary: 'Server whose history is the true one, when there are several.',
    }),
    readdress: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'OLD=NEW',
      summary: 'Correct an address; same id, same suffrage.',
    }),
    'dry-run': Flags.boolean({summary: 'Show the plan and stop.'}),
    out: Flags.string({
      helpValue: 'FILE',
      summary: 'Save the plan and stop; apply it with quorate apply FILE.',
    }),
    ...consentFlags,
    ...progressFlag,
    ...reconcileFlag,
  }

  /** Plans, shows, asks, applies. */
  async run(): Promise<PeersFixResult> {
    const {argv, flags} = await this.parse(PeersFix)
    const terminal = this.terminal(flags)
    const times = {reconcileMs: flags.reconcile * 1000}
    const intent: PeersFixIntent = {
      remove: flags.remove ?? [],
      declaredDead: flags.dead ?? [],
      keep: flags.keep ?? [],
      history: flags.history,
      readdress: (flags.readdress ?? []).map(parseReaddress),
    }
    const {hostActionsMaker, openSession, savePlan} = await import('../../src/context.js')
    const {peersFix} = await import('../../src/engine/use-cases/peers-fix.js')
    const {exitOf, runPlan} = await import('../../src/run-plan.js')
    const {renderPlan} = await import('../../src/ui/views/plan.js')
    const {renderOutcome} = await import('../../src/ui/views/progress.js')
    const {makeTheme} = await import('../../src/ui/theme.js')
    const theme = await makeTheme(terminal)
    const opened = await openSession(flags, argv as string[], terminal)
    try {
      const fixed = await peersFix(opened.session, {
        intent,
        given: {yes: flags.yes, name: flags.confirm, accepted: flags.accept ?? []},
        planOnly: flags['dry-run'] || flags.out !== undefined,
        onWait: seconds =>
          this.note(
            terminal,
            `Watching the cluster ${seconds} s more: right after a loss, leaders and members that are gone are still named.`,
          ),
        onPlan: async ({plan, milder}) => {
          this.log(renderPlan(plan, milder, theme, terminal.width))
          if (flags.out !== undefined) await savePlan(flags.out, plan)
        },
        runs: async (plan, work) => {
          const makeActions = await hostActionsMaker(opened.session.fleet)
          const style = flags.progress ?? (this.jsonEnabled() ? 'silent' : 'lines')
          return runPlan(plan, terminal, style, async running => work({...running, makeActions, times}))
        },
      })
      const cluster = opened.session.fleet.cluster
      const none = {plan: null, why: null, milder: [], savedTo: null, outcome: null}
      if (fixed.kind === 'nothing-to-do') {
        return await this.show(
          {
            result: {...none, why: fixed.why},
            cluster,
            exit: 'ok',
            screen: () => `NOTHING TO DO   ${fixed.why}`,
          },
          terminal,
        )
      }
      const {plan, milder, outcome} = fixed
      const saved =
        flags.out === undefined
          ? ''
          : `Saved to ${flags.out}.   quorate apply ${flags.out} applies exactly this plan.`
      return await this.show(
        {
          result: {...none, plan, milder, savedTo: flags.out ?? null, outcome: outcome ?? null},
          cluster,
          exit: outcome === undefined ? 'ok' : exitOf(outcome),
          screen: () =>
            outcome === undefined
              ? saved
              : renderOutcome(plan, outcome, {theme, width: terminal.width, again: opened.session.named}),
        },
        terminal,
      )
    } finally {
      await opened.close()
    }
  }
}
