import type {Prompt} from '../ports/prompt.js'

type Ask = (question: Record<string, unknown>) => Promise<unknown>

/** Ctrl-C and a closed stdin mean that the operator left; anything else is a bug and goes on up. */
async function unlessLeft<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') return undefined
    throw error
  }
}

/** The Prompt port by inquirer, on stderr so that stdout stays a clean report. Loaded when first asked. */
export function makePrompt(interactive: boolean): Prompt {
  let loaded: Promise<Ask> | undefined
  const ask: Ask = async question => {
    loaded ??= import('inquirer').then(({default: inquirer}) => {
      const prompt = inquirer.createPromptModule({output: process.stderr})
      return async one => ((await prompt([{...one, name: 'answer'}] as never)) as {answer: unknown}).answer
    })
    return (await loaded)(question)
  }
  const put = async <T>(question: Record<string, unknown>): Promise<T | undefined> =>
    interactive ? unlessLeft(ask(question) as Promise<T>) : undefined
  return {
    interactive,
    confirm: async message => put<boolean>({type: 'confirm', message, default: false}),
    text: async message => put<string>({type: 'input', message}),
    password: async message => put<string>({type: 'password', message, mask: ''}),
    choose: async <T extends string>(
      message: string,
      options: readonly {readonly value: T; readonly label: string}[],
    ) => put<T>({type: 'select', message, choices: options.map(({value, label}) => ({value, name: label}))}),
    chooseSeveral: async <T extends string>(
      message: string,
      options: readonly {readonly value: T; readonly label: string; readonly checked?: boolean}[],
    ) =>
      put<readonly T[]>({
        type: 'checkbox',
        message,
        choices: options.map(({value, label, checked}) => ({value, name: label, checked: checked === true})),
      }),
  }
}
