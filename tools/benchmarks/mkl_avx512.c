/* MKL takes its AVX-512 path on Intel's processors alone. Preloaded, this makes it take that path on AMD's too. */
int mkl_serv_intel_cpu_true(void) { return 1; }
