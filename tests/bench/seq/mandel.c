#include <stdio.h>
enum { SIZE = 700, LIMIT = 50 };
static int escapes(double cr, double ci) {
  double zr = 0, zi = 0;
  int n = 0;
  while (n < LIMIT && zr * zr + zi * zi <= 4.0) {
    double t = zr * zr - zi * zi + cr;
    zi = 2.0 * zr * zi + ci;
    zr = t;
    n++;
  }
  return n;
}
int main(void) {
  long sum = 0;
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++) sum += escapes(2.0 * x / SIZE - 1.5, 2.0 * y / SIZE - 1.0);
  printf("%ld\n", sum);
}
