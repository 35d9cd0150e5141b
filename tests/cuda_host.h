// CUDA's words for a processor: the threads of a block are fibers that take turns at barriers and shuffles.
#include <stddef.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define __restrict__

struct Three { unsigned x, y, z; };
static Three blockIdx, threadIdx, blockDim, gridDim;

template <class To, class From> static inline To same_bits(From from) { To to; __builtin_memcpy(&to, &from, sizeof to); return to; }
static inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
static inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
static inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
#define BOTH(name) \
    extern "C" double name(double); \
    extern "C" float name##f(float); \
    static inline float name(float x) { return name##f(x); }
BOTH(exp)
BOTH(expm1)
BOTH(log)
BOTH(log1p)
BOTH(tanh)
BOTH(erf)
BOTH(sin)
BOTH(cos)
BOTH(floor)
BOTH(ceil)
BOTH(sqrt)
BOTH(fabs)
static inline float rsqrt(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }
extern "C" double pow(double, double);
extern "C" float powf(float, float);
static inline float pow(float x, float y) { return powf(x, y); }
static inline long long clock64() { static long long ticks; return ticks += 100000; }

static inline float half_to_float(unsigned short x) { return (float)same_bits<_Float16>(x); }
static inline unsigned short float_to_half(float x) { return same_bits<unsigned short>((_Float16)x); }

// Fibers: each thread of a block runs until it waits; then the next one does. All of them wait at the same place.
enum { MOST = 1024, STACK = 32768, WARP = 32 };
static ucontext_t fibers[MOST], back;
static Three own[MOST];
static bool finished[MOST];
static int current, many;
static unsigned long long lanes[MOST];

static inline void __syncthreads() { swapcontext(&fibers[current], &back); threadIdx = own[current]; }
static inline void __syncwarp(unsigned mask = 0xffffffffu) { __syncthreads(); }
template <class T> static inline T exchanged(T value, int from) {
    __builtin_memcpy(&lanes[current], &value, sizeof value);
    __syncthreads();
    T other;
    __builtin_memcpy(&other, &lanes[from < many ? from : current], sizeof other);
    __syncthreads();
    return other;
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int distance) {
    return exchanged(value, (current & ~(WARP - 1)) | ((current ^ distance) & (WARP - 1)));
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, int distance) {
    int lane = (current & (WARP - 1)) + distance;
    return exchanged(value, lane < WARP ? current + distance : current);
}
template <class T> static inline T __shfl_sync(unsigned mask, T value, int lane) { return exchanged(value, (current & ~(WARP - 1)) | lane); }

template <class Kernel, class Table> static void run_grid(Kernel kernel, const Table& table, const unsigned* grid, const unsigned* block, char* stacks) {
    const bool waits = stacks;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    many = block[0] * block[1] * block[2];
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x) {
        for (current = 0; current < many; ++current) {
            unsigned n = current;
            threadIdx = own[current] = {n % block[0], n / block[0] % block[1], n / block[0] / block[1]};
            if (!waits) { kernel(table); continue; }
            static const Table* handed; handed = &table;
            static Kernel entry; entry = kernel;
            getcontext(&fibers[current]);
            fibers[current].uc_stack.ss_sp = stacks + (size_t)current * STACK;
            fibers[current].uc_stack.ss_size = STACK;
            fibers[current].uc_link = &back;
            finished[current] = false;
            makecontext(&fibers[current], (void (*)())(+[]() { entry(*handed); finished[current] = true; }), 0);
        }
        for (int left = waits ? many : 0; left;)
            for (current = 0; current < many; ++current)
                if (!finished[current]) { threadIdx = own[current]; swapcontext(&back, &fibers[current]); left -= finished[current]; }
    }
}
