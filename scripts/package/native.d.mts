export declare const glibc: readonly [number, number];
export declare function checkSymbols(path: string): void;
