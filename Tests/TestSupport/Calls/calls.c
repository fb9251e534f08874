// Calls of every kind, for both guests: leaves, recursion, large frames, pointers, a callee that never returns.
typedef unsigned int u32;
volatile int sink, step;

__attribute__((noinline)) int leaf(int x) { sink = x; return x + step; }
__attribute__((noinline)) int frameless(int x) { return x * 3; }
__attribute__((noinline)) int fib(int n) { return n < 2 ? leaf(n) : fib(n - 1) + fib(n - 2); }
__attribute__((noinline)) int large(int n) {
  volatile char buffer[5000];
  buffer[n] = n;
  return fib(n) + buffer[n] + leaf(3);
}
__attribute__((noinline)) int dynamic(int n) {
  volatile char buffer[n + 1];
  for (int i = 0; i <= n; i++) buffer[i] = i;
  return leaf(buffer[n]) + frameless(n);
}
__attribute__((noinline)) int early(int n) {
  if (n & 1) return n;
  int sum = 0;
  for (int i = 0; i < n; i++) {
    sum += leaf(i);
    if (sum > 20) return sum + frameless(i);
  }
  return leaf(sum) + 1;
}
__attribute__((noinline)) int choose(int n) {
  switch (n) {
    case 0: return leaf(10);
    case 1: return frameless(7) + leaf(2);
    case 2: return large(2);
    case 3: return early(6);
    case 4: return dynamic(9);
    case 5: return fib(3) - 1;
    default: return 0;
  }
}
__attribute__((noinline)) int through(int (*f)(int), int n) { return f(n) + 1; }
__attribute__((noinline)) int tail(int n) { sink = n; return through(choose, n); }
__attribute__((noinline)) int many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j) {
  int x = leaf(a + j), y = leaf(b + i), z = leaf(c + h);
  return x * d + y * e + z * f + g + leaf(x + y + z);
}
__attribute__((noinline)) float floats(float a, int n) {
  float b = leaf(n), c = leaf(n + 1);
  return a * b + c * leaf(n + 2);
}
// Arm's compilers do not save where a function returns to that never does.
__attribute__((noinline)) void rest(void) {
#ifdef __riscv
  for (;;) sink++;
#else
  while (step < 1000) sink++;
#endif
}
__attribute__((noinline)) int forever(int n) {
  sink = leaf(n);
  rest();
  return sink;
}
int main(void) {
  int sum = 0;
  for (int i = 0; i < 7; i++) sum += tail(i);
  sum += many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  sum += (int)floats(2.5f, 3);
  for (int i = 0; i < 3; i++) sum += early(i);
  return forever(sum);
}
