"""What stands in front of every kernel: types as they lie in memory, and arithmetic where CUDA's own differs from the plan's."""

PRELUDE = r"""
typedef long long i64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

#define INF __longlong_as_double(0x7ff0000000000000ll)
#undef NAN
#define NAN __longlong_as_double(0x7ff8000000000000ll)

#ifdef __CUDA_ARCH__
__device__ inline float half_to_float(u16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}
__device__ inline u16 float_to_half(float x) {
    u16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
#endif

struct bf16 { u16 bits; };
struct f16 { u16 bits; };

template <class T> __device__ inline T widened(T x) { return x; }
__device__ inline float widened(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
__device__ inline float widened(f16 x) { return half_to_float(x.bits); }

template <class T> struct Stored { template <class N> __device__ static inline T of(N x) { return (T)x; } };
template <> struct Stored<bf16> {
    __device__ static inline bf16 of(float x) {
        u32 bits = __float_as_uint(x);
        u32 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        bf16 y;
        y.bits = x != x ? 0x7fff : rounded;
        return y;
    }
};
template <> struct Stored<f16> {
    __device__ static inline f16 of(float x) { return f16{float_to_half(x)}; }
};

// So many neighbours, moved at once, or by 16 bytes.
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack { T at[N]; };

__device__ inline float larger(float a, float b) { return a != a || a > b ? a : b; }
__device__ inline float smaller(float a, float b) { return a != a || a < b ? a : b; }
__device__ inline double larger(double a, double b) { return a != a || a > b ? a : b; }
__device__ inline double smaller(double a, double b) { return a != a || a < b ? a : b; }
// a ** (Count / 4), by roots and products; minus infinity to a power that is not whole is infinity, and the root of -0 is -0.
template <int Count, class T> __device__ inline T quarters(T a) {
    const int n = Count < 0 ? -Count : Count;
    if (n % 4) a = (a == -(T)INF ? (T)INF : a) + (T)0;
    const T half = n % 4 ? sqrt(a) : a;
    T y = (n % 2 ? sqrt(half) : (T)1) * (n / 2 % 2 ? half : (T)1);
    for (int i = 0; i < n / 4; ++i) y *= a;
    return Count < 0 ? (T)1 / y : y;
}
template <class T> __device__ inline T logistic(T x) { return (T)1 / ((T)1 + exp(-x)); }
template <class T> __device__ inline T softened(T x) { return larger(x, (T)0) + log1p(exp(-fabs(x))); }
"""
