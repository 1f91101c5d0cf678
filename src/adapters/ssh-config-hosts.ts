import {readFile} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join} from 'node:path'

/**
 * The concrete Host names of the user's ssh configuration, for arguments with wildcards. Patterns are left out: they
 * name nobody. Includes are not followed.
 */
export async function sshConfigHosts(path = join(homedir(), '.ssh', 'config')): Promise<readonly string[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return [] // No configuration is the usual case.
  }
  const {default: SSHConfig} = await import('ssh-config')
  const names: string[] = []
  for (const section of SSHConfig.parse(text)) {
    if (!('param' in section) || section.param !== 'Host') continue
    const values: readonly unknown[] = Array.isArray(section.value) ? section.value : [section.value]
    for (const value of values) {
      const name = typeof value === 'string' ? value : (value as {val: string}).val
      if (!/[*?!]/.test(name)) names.push(name)
    }
  }
  return names
}
