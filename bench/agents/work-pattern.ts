/** One agent's answer, which may take its time. */
export const workPattern = `
name: work
capabilities: [work]
agents: { min: 1, max: 1 }
timeout: 120s
retries: 0
aggregate: { strategy: first }
`;
