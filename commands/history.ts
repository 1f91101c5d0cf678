import {Args} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import type {PlanHistory} from '../src/engine/use-cases/history.js'

/** A plan's journal in JSON. */
interface HistoryJson {
  readonly plans: readonly {
    readonly plan: PlanHistory['plan']
    readonly standing: string
    readonly entries: PlanHistory['entries']
  }[]
}

/** Lists the plans of this machine; shows one. */
export default class History extends BaseCommand<HistoryJson> {
  static override summary = 'List the plans applied from this machine, or show what one of them did.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> 4f1c9a',
  ]
  static override args = {id: Args.string({description: 'Plan to show.'})}

  /** Reads journals; reaches no host. */
  async run(): Promise<HistoryJson> {
    const {args, flags} = await this.parse(History)
    const terminal = this.terminal(flags)
    const {openJournal} = await import('../src/context.js')
    const {history, historyOf} = await import('../src/engine/use-cases/history.js')
    const {renderHistory, renderPlanHistory, standing} = await import('../src/ui/views/history.js')
    const {journal} = (await openJournal()).deps
    const one = args.id === undefined ? undefined : await historyOf(journal, args.id)
    const {plans: items, skipped} = one === undefined ? await history(journal) : {plans: [one], skipped: []}
    return await this.show(
      {
        result: {
          plans: items.map(item => ({plan: item.plan, standing: standing(item), entries: item.entries})),
        },
        exit: 'ok',
        warnings: skipped.map(why => `left out: ${why}`),
        screen: theme =>
          one === undefined
            ? renderHistory(items, {theme, width: terminal.width})
            : renderPlanHistory(one, theme),
      },
      terminal,
    )
  }
}
