/* SPDX-License-Identifier: BSD-2-Clause */
/* dlopen of a library, its symbols and thread variables; what is not there. */
#include <dlfcn.h>
#include "t.h"

int main(void)
{
	void *m = dlopen("libm.so.6", RTLD_NOW);
	IS(m != NULL);
	double (*root)(double) = m ? (double (*)(double))dlsym(m, "sqrt") : NULL;
	IS(root != NULL);
	if (root)
		printf("%.6f\n", root(2.0));
	IS(dlsym(m, "no_such_symbol") == NULL);
	IS(dlopen("libabsent.so.99", RTLD_NOW) == NULL);
	IS(dlerror() != NULL);
	Dl_info info;
	IS(dladdr((void *)main, &info) != 0 && info.dli_fname != NULL);
	IS(m && dlclose(m) == 0);
	return 0;
}
