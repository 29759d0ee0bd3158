export const sections: readonly { title: string; pages: readonly string[] }[];
