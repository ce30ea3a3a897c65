// #region
import { patient } from 'patient-http/workflow';

export async function summarize(api: string, text: string): Promise<string> {
  const completion = await patient.post(`${api}/v1/chat/completions`, {
    json: { model: 'small', messages: [{ role: 'user', content: `Summarize: ${text}` }] },
    headers: { authorization: { $secret: 'LLM_KEY', prefix: 'Bearer ' } },
    // A generation may be repeated: it costs tokens, and does nothing else.
    resend: 'always',
    timeout: '10m', // one try
    deadline: '1h', // all tries, and all waiting
    maxResponseSize: 2_000_000,
    raiseErrorResponses: true,
    flow: {
      key: 'llm',
      rate: 100_000,
      period: '1m',
      burst: 20_000,
      concurrency: 50,
      cost: { estimate: 900, pointer: '/usage/total_tokens' },
    },
  });
  const { choices } = completion.json<{ choices: { message: { content: string } }[] }>();
  return choices[0]?.message.content ?? '';
}
// #endregion
