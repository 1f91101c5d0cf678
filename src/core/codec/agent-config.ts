import type {AgentSetting, SettingValue} from './agent-config-read.js'

/** The settings of all files and flags laid over one another. */
export class AgentSettings {
  private readonly found = new Map<string, {value: SettingValue; where: string}>()

  /**
   * Merges settings in their order as Consul does (agent/config/merge.go): later ones win, lists grow, maps are joined
   * key by key.
   */
  constructor(settings: Iterable<AgentSetting>) {
    for (const {path, kind, value, where} of settings) {
      const before = this.found.get(path)?.value
      if (kind === 'texts')
        this.found.set(path, {
          value: [...((before ?? []) as readonly string[]), ...(value as string[])],
          where,
        })
      else if (kind === 'map')
        this.found.set(path, {value: {...(before as object | undefined), ...(value as object)}, where})
      else this.found.set(path, {value, where})
    }
  }

  /** A text; an empty one counts as not set, as in Consul. */
  text(...paths: readonly string[]): string | undefined {
    for (const path of paths) {
      const value = this.found.get(path)?.value
      if (typeof value === 'string' && value !== '') return value
    }
    return undefined
  }

  /** A number, or a duration in milliseconds. */
  number(path: string): number | undefined {
    const value = this.found.get(path)?.value
    return typeof value === 'number' ? value : undefined
  }

  flag(...paths: readonly string[]): boolean | undefined {
    for (const path of paths) {
      const value = this.found.get(path)?.value
      if (typeof value === 'boolean') return value
    }
    return undefined
  }

  texts(path: string): readonly string[] {
    const value = this.found.get(path)?.value
    return Array.isArray(value) ? (value as readonly string[]) : []
  }

  map(path: string): Readonly<Record<string, string>> {
    return (this.found.get(path)?.value ?? {}) as Readonly<Record<string, string>>
  }

  /** Where a setting was last set, for messages: ` (file:line)`; empty when it was not. */
  whence(path: string): string {
    const where = this.found.get(path)?.where
    return where === undefined ? '' : ` (${where})`
  }
}
